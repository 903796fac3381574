"""The HTML page of `harness score`; `page.page` makes it, and each of its sections is one function."""
