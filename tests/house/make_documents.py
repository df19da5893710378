"""`make docs`: writes the documents that are made from code."""

from tests.house.api_page import api_page
from tests.house.documents import settings_page
from tests.house.pages import business_settings_page, rules_page, with_differences, with_file_rules
from tests.house.test_documents import ROOT, settings_facts
from tests.house.traps_page import traps_page

if __name__ == "__main__":
    docs = ROOT / "docs"
    (docs / "settings.md").write_text(settings_page(settings_facts()))
    (docs / "business-settings.md").write_text(business_settings_page())
    (docs / "reference" / "rules.md").write_text(rules_page())
    (docs / "reference" / "api.md").write_text(api_page())
    differences = docs / "operations" / "differences.md"
    differences.write_text(with_differences(differences.read_text()))
    (docs / "reference" / "erp-traps.md").write_text(traps_page())
    (docs / "how-to" / "import.md").write_text(with_file_rules((docs / "how-to" / "import.md").read_text()))
