"""One browser and one server for the tests of all pages: two of playwright's in a process get in each other's way."""

from browser import chromium, page
from serving import files, model, server

__all__ = ["chromium", "files", "model", "page", "server"]
