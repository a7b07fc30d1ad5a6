import pytest
from small_book import BuildServer, SmallBook


@pytest.fixture(scope="session")
def server():
    """What runs the tools."""
    server = BuildServer()
    yield server
    server.close()


@pytest.fixture
def book(tmp_path, server):
    """A book that was never built."""
    return SmallBook.make(tmp_path / "book", server)


@pytest.fixture(scope="session")
def undisturbed(made_once, server):
    """A book that was built once; not to be changed."""

    def make(folder):
        run = SmallBook.make(folder, server).build()
        assert run.status == 0, run.output

    return SmallBook(made_once("undisturbed-book", make), server)


@pytest.fixture
def built_book(tmp_path, undisturbed):
    """A book that was built once."""
    return undisturbed.copy(tmp_path / "book")
