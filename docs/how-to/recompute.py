"""Recomputes a comparison from the files of `duly reconcile --export`, with nothing of Duly's: python recompute.py FOLDER"""

import csv
import hashlib
import sys
from collections import defaultdict
from pathlib import Path


def read(name):
    return list(csv.DictReader((Path(sys.argv[1]) / name).read_text(encoding="utf-8").splitlines()))


def sha(told):
    return hashlib.sha256(told).digest()


charges, documents, entries, totals = *(defaultdict(list) for _ in range(3)), defaultdict(lambda: [0, 0, 0])
wrong, before, level = [], bytes(32), []
for row in read("charges.csv"):
    charges[row["payment"]] += [row] * (row["status"] not in {"declined", "canceled", "expired", "needs_customer"})
for row in read("documents.csv"):
    documents[row["reference"]] += [row] * (row["stands"] == "yes")
for row in read("payments.csv"):
    money, took = (row["amount"], row["currency"]), int(row["captured"]) > 0
    written = row["posting"] == "confirmed" and row["state"] != "returned"
    shown, standing = charges[row["payment"]], documents.pop(row["reference"], [])
    if [(each["amount"], each["currency"]) for each in shown] != [money] * took:
        wrong.append(f"{row['payment']}: {len(shown)} charges at the provider, {int(took)} booked of {' '.join(money)}")
    if [(each["amount"], each["currency"]) for each in standing] != [money] * written:
        wrong.append(f"{row['reference']}: {len(standing)} documents in the ERP, {int(written)} held of {' '.join(money)}")
    for side, part in enumerate((shown, [row] * took, standing)):
        totals[row["currency"]][side] += sum(int(each["amount"]) for each in part)
wrong += [f"{reference}: a document in the ERP that is nobody's" for reference, shown in documents.items() if shown]
for row in read("journal.csv"):
    entries[int(row["seq"])].append(row)
wrong += [f"{rows[0]['entry']} does not balance" for rows in entries.values() if sum(int(each["amount"]) for each in rows)]
for seal in read("seals.csv"):
    for seq in sorted(each for each in entries if int(seal["first_seq"]) < each <= int(seal["last_seq"])):
        one, rows = entries[seq][0], sorted(entries[seq], key=lambda row: int(row["position"]))
        lines = ";".join(f"{row['account']}:{row['holder']}:{row['invoice']}:{row['amount']}" for row in rows)
        names = ("entry", "process", "kind", "currency", "booked_at")
        level.append(sha(b"\0" + "|".join([str(seq), *(one[name] for name in names), lines]).encode()))
    while len(level) > 1:
        level = [sha(b"\1" + level[at] + level[at + 1]) if level[at + 1 :] else level[at] for at in range(0, len(level), 2)]
    before, level = sha(before + b"".join(level)), []
    wrong += [f"seal {seal['number']}: what it covers was changed"] * (before.hex() != seal["seal"])
for currency, sums in sorted(totals.items()):
    print("{}: {} at the providers, {} in Duly, {} in the ERPs".format(currency, *sums))
sys.exit("\n".join(wrong) if wrong else print("All is equal, and every seal holds."))
