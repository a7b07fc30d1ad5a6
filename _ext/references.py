"""What a chapter's notebook says in place of a reference, looked up in what Sphinx knows."""

import posixpath
from urllib.parse import quote

from docutils import nodes
from sphinx.application import Sphinx
from sphinx_exercise.nodes import exercise_subtitle

from _ext.session_plan import MARK, is_drawn


class NotebookReferences:
    """The references of one chapter.

    Parameters
    ----------
    app : Sphinx
        After all pages were read.
    docname : str
        The chapter.
    folder : str
        Where its notebook lies in the site: ``notebooks/executed``.
    """

    def __init__(self, app: Sphinx, docname: str, folder: str):
        self.env, self.docname = app.env, docname
        self.place = posixpath.dirname(f"{folder}/{docname}")
        self.folder = folder
        self.site = app.config.html_baseurl.rstrip("/")
        self.notebooks = {
            name for name in self.env.found_docs if "kernelspec" in self.env.metadata[name]
        }
        headings = list(self.env.tocs[docname].findall(nodes.reference))
        self.heading_numbers = [
            ".".join(map(str, heading.get("secnumber") or ())) for heading in headings
        ]
        titles = self.env.get_doctree(docname).findall(nodes.title)
        on_path = {title.astext() for title in titles if is_drawn(title)}
        self.headings = {
            words: " ".join(filter(None, [number, words, MARK if words in on_path else ""]))
            for words, number in zip(
                [heading.astext() for heading in headings], self.heading_numbers, strict=True
            )
        }

    def page(self) -> str:
        """Return the address of the chapter's page."""
        return self.address(self.docname, live=True)

    def address(self, docname: str, anchor: str = "", live: bool = False) -> str:
        """Return the address of a page; of a chapter, where no site is known, the notebook.

        Parameters
        ----------
        docname, anchor : str
        live : bool
            The page on the website, also of a chapter.
        """
        fragment = f"#{anchor}" if anchor else ""
        if self.site:
            return f"{self.site}/{docname}.html{fragment}"
        if docname in self.notebooks and not live:
            return posixpath.relpath(f"{self.folder}/{docname}.ipynb", self.place)
        return posixpath.relpath(f"{docname}.html", self.place) + fragment

    def exercise(self, label: str) -> str:
        """Return what an exercise is called: ``Exercise 1.2``."""
        for numbers in self.env.toc_fignumbers.values():
            if label in numbers.get("exercise", {}):
                return "Exercise " + ".".join(map(str, numbers["exercise"][label]))
        return "Exercise"  # it has none on the website either

    def equation(self, label: str) -> str:
        """Return the number of an equation."""
        docname, number = self.env.domaindata["math"]["objects"][label]
        numbers = self.env.toc_fignumbers.get(docname, {}).get("displaymath", {})
        return ".".join(map(str, numbers.get(f"equation-{label}", (number,))))

    def link(self, role: str, target: str, text: str) -> str:
        """Return the Markdown in place of a role; ValueError for one that notebooks lack."""
        if role == "doc":
            folder = posixpath.dirname(self.docname)
            docname = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            return f"[{text or self.env.titles[docname].astext()}]({self.address(docname)})"
        if role == "term":
            return self.term(target, text or target)
        if role in ("ref", "numref"):
            return self.section(target, text)
        if role == "eq":
            return f"({self.equation(target)})"
        if role in ("cite:p", "cite:t", "cite"):
            return self.citation(target, textual=role == "cite:t")
        raise ValueError(
            f"no notebook can show the role {{{role}}} yet: teach it to _ext/references.py"
        )

    def term(self, target: str, text: str) -> str:
        """Return a word that leads to the glossary, and shows its definition on hover."""
        docname, anchor = self.env.domaindata["std"]["terms"][target.lower()]
        definition = ""
        for item in self.env.get_doctree(docname).findall(nodes.definition_list_item):
            if any(anchor in term["ids"] for term in item.findall(nodes.term)):
                definition = next(item.findall(nodes.definition)).astext()
        title = " ".join(definition.split()).replace("\\", "").replace('"', "”")
        return f'[{text}]({self.address(docname, anchor)} "{title}")'

    def section(self, label: str, text: str) -> str:
        """Return a link to a section, or an exercise, by its label."""
        labels = self.env.domaindata["std"]["labels"]
        docname, anchor, title = labels.get(label, ("", "", ""))
        if not title:  # what has only a number
            docname, anchor = self.env.domaindata["std"]["anonlabels"][label][:2]
        heading = self.headings.get(title, title)
        exercises = self.env.sphinx_exercise_registry  # type: ignore[attr-defined]  # its own
        if label in exercises:  # in a notebook, a heading with the exercise's title
            title = self.exercise(label)
            titles = exercises[label]["node"].findall(exercise_subtitle)
            heading = " ".join([title, *(f"({node.astext()})" for node in titles)])
        if docname != self.docname:
            return f"[{text or title}]({self.address(docname, anchor)})"
        # As JupyterLab makes the addresses of headings
        return f"[{text or title}](#{quote(heading.replace(' ', '-'))})"

    def citation(self, keys: str, textual: bool) -> str:
        """Return who said it and when, with a link to the bibliography."""
        cited = {
            citation.key: citation for citation in self.env.domaindata["cite"]["citations"]
        }
        links = []
        for key in keys.split(","):
            citation = cited[key.strip()]
            docname, entry = citation.bibliography_key.docname, citation.entry
            people = entry.persons.get("author") or entry.persons.get("editor") or []
            names = [
                " ".join(map(str, person.rich_prelast_names + person.rich_last_names))
                for person in people
            ]
            who = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
            address = self.address(docname, citation.citation_id)
            year = entry.fields["year"]
            links.append(
                f"{who} ([{year}]({address}))" if textual else f"[{who}, {year}]({address})"
            )
        return ", ".join(links) if textual else f"({'; '.join(links)})"
