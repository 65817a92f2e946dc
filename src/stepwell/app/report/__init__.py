"""A run as one file that anybody can open: for a mail, a pull request, the artifacts of a CI job.

    facts = gather(store, root, "last")     everything that is told, read from the store
    page(facts)                             HTML that needs nothing else: no script, no network, no other file
    markdown(facts)                         the short form, for a comment

The same run gives the same bytes: no time, host or path of the machine that writes is in it.
"""

from stepwell.app.report.facts import BEGIN, Facts, gather
from stepwell.app.report.page import page
from stepwell.app.report.short import markdown

__all__ = ["BEGIN", "Facts", "gather", "markdown", "page"]
