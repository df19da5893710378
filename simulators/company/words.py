"""Names, places and goods of the demo company. All of it is invented; addresses end in .example."""

from __future__ import annotations

from typing import Final

PEOPLE: Final = (
    *("Amelia Hart", "Ben Okafor", "Chiara Rossi", "Daniel Weiss", "Elif Kaya", "Farah Siddiqui", "Grace Liu"),
    *("Hugo Martin", "Ines Duarte", "Jonas Berg", "Keiko Tanaka", "Liam Doyle", "Maya Patel", "Noah Fischer"),
    *("Olivia Brandt", "Priya Nair", "Quentin Moreau", "Rosa Jimenez", "Samir Haddad", "Tess van Dijk"),
)

# name, currency, country, time zone
CUSTOMERS: Final = (
    ("Alder & Ash Joinery Ltd", "GBP", "GB", "Europe/London"),
    ("Bluebell Nurseries Ltd", "GBP", "GB", "Europe/London"),
    ("Copperfield Books Ltd", "GBP", "GB", "Europe/London"),
    ("Dovetail Kitchens Ltd", "GBP", "GB", "Europe/London"),
    ("Elmwood Veterinary Group", "GBP", "GB", "Europe/London"),
    ("Fernhill Schools Trust", "GBP", "GB", "Europe/London"),
    ("Greyfriars Brewing Co", "GBP", "GB", "Europe/London"),
    ("Hawthorn Dental Care", "GBP", "GB", "Europe/London"),
    ("Ironbridge Cycles Ltd", "GBP", "GB", "Europe/London"),
    ("Juniper Catering Ltd", "GBP", "GB", "Europe/London"),
    ("Kestrel Couriers Ltd", "GBP", "GB", "Europe/London"),
    ("Lighthouse Media Ltd", "GBP", "GB", "Europe/London"),
    ("Acorn Peak Outfitters Inc", "USD", "US", "America/Denver"),
    ("Bayview Pediatrics LLC", "USD", "US", "America/Los_Angeles"),
    ("Cedar Valley Foods Inc", "USD", "US", "America/Chicago"),
    ("Driftwood Coffee Roasters", "USD", "US", "America/Los_Angeles"),
    ("Eastgate Properties LLC", "USD", "US", "America/New_York"),
    ("Fairmile Fitness Inc", "USD", "US", "America/New_York"),
    ("Golden Prairie Farms LLC", "USD", "US", "America/Chicago"),
    ("Hollow Oak Distillery", "USD", "US", "America/New_York"),
    ("Indigo Print Works Inc", "USD", "US", "America/Chicago"),
    ("Jasper Ridge Clinics", "USD", "US", "America/Denver"),
    ("Keystone Elevators Inc", "USD", "US", "America/New_York"),
    ("Larkspur Events LLC", "USD", "US", "America/Los_Angeles"),
    ("Atelier Beaumont SARL", "EUR", "FR", "Europe/Paris"),
    ("Bergmann Optik GmbH", "EUR", "DE", "Europe/Berlin"),
    ("Casa Oliveira Lda", "EUR", "PT", "Europe/Lisbon"),
    ("De Groene Linde BV", "EUR", "NL", "Europe/Amsterdam"),
    ("Estudio Marea SL", "EUR", "ES", "Europe/Madrid"),
    ("Forno Bellini Srl", "EUR", "IT", "Europe/Rome"),
    ("Grünwald Gärten GmbH", "EUR", "DE", "Europe/Berlin"),
    ("Hôtel du Vieux Port", "EUR", "FR", "Europe/Paris"),
    ("Aoyama Design KK", "JPY", "JP", "Asia/Tokyo"),
    ("Hinode Bakery KK", "JPY", "JP", "Asia/Tokyo"),
    ("Kitayama Optics KK", "JPY", "JP", "Asia/Tokyo"),
    ("Minato Tea Company", "JPY", "JP", "Asia/Tokyo"),
)

SERVICES: Final = (
    *("Window cleaning", "Air handling service", "Fire alarm inspection", "Night security", "Waste collection"),
    *("Lift maintenance", "Grounds keeping", "Deep clean of kitchens", "Water hygiene test", "Reception cover"),
    *("Boiler service", "Emergency lighting test", "Carpet care", "Pest control visit", "Post room cover"),
)

SITES: Final = (
    *("Quay Street", "North Gate", "Mill Lane", "Harbour View", "Station Road", "Old Town", "Park Row"),
    *("Castle Hill", "River Walk", "Market Square", "West Dock", "Orchard Close", "Bridge End", "Queensway"),
)

TAX_PERCENT: Final = {"GBP": 20, "EUR": 21, "USD": 0, "JPY": 10}

TERMS: Final = {7: "Net 7", 14: "Net 14", 30: "Net 30", 45: "Net 45"}
