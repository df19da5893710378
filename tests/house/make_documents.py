"""`make docs`: writes the documents that are made from code."""

from tests.house.documents import settings_page
from tests.house.test_documents import ROOT, settings_facts

if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(settings_page(settings_facts()))
