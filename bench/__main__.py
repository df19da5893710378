"""`python -m bench`: plays the cases, prints each as soon as it is done, and says whether the goals are met.

Ends with 1 when a goal is missed or a case breaks, with 2 when a goal is inconclusive. A quick run proves that every
variant still does the same job; its few short rounds are no verdict, so it ends with 1 only when a case breaks.
"""

import argparse
import asyncio
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench import goals, report
from bench.case import Case
from bench.cases import all_cases
from bench.pair import Verdict
from bench.run import QUICK_ROUNDS, ROUNDS, Plan, Result, play


def main() -> int:
    asked = _arguments()
    plan = Plan(rounds=asked.rounds or (QUICK_ROUNDS if asked.quick else ROUNDS), quick=asked.quick, seed=asked.seed)
    cases = _chosen(asked.only)
    pages = [report.heading(plan)]
    results: list[Result] = []
    broken = 0
    print(pages[0], flush=True)
    for case in cases:
        try:
            result = asyncio.run(play(case, plan, goals.read(), say=_say))
        except Exception as error:
            broken += 1
            traceback.print_exc()
            pages.append(report.failed(case.id, case.title, f"{type(error).__name__}: {error}".splitlines()[0]))
        else:
            results.append(result)
            pages.append(report.table(result))
        print(pages[-1], flush=True)
        _write(asked.report, "\n".join(pages))
        _write(asked.json, report.as_json(plan, results))
    print(f"{report.verdicts(results)}, {broken} broken")
    return _exit_status(results, broken=broken, quick=plan.quick)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Duly beside limits and alternatives.")
    parser.add_argument("--only", default="", help="cases to play, such as P1,P5")
    parser.add_argument("--rounds", type=int, default=None, help=f"rounds of each case ({ROUNDS}, quick {QUICK_ROUNDS})")
    parser.add_argument("--quick", action="store_true", help="small sizes and short rounds; no verdict")
    parser.add_argument("--seed", type=int, default=1, help="the order of turns")
    parser.add_argument("--json", type=Path, default=None, help="write every sample to this file")
    parser.add_argument("--report", type=Path, default=None, help="write the tables to this file")
    return parser.parse_args()


def _chosen(only: str) -> Sequence[Case]:
    cases = all_cases()
    wanted = {name.strip().upper() for name in only.split(",") if name.strip()}
    if unknown := wanted - {case.id for case in cases}:
        raise SystemExit(f"There is no case {', '.join(sorted(unknown))}; there are {', '.join(each.id for each in cases)}.")
    return [case for case in cases if not wanted or case.id in wanted]


def _exit_status(results: Sequence[Result], *, broken: int, quick: bool) -> int:
    verdicts = {each.verdict for result in results for each in result.judged}
    if broken:
        return 1
    if quick:
        return 0
    if Verdict.MISSED in verdicts:
        return 1
    return 2 if Verdict.INCONCLUSIVE in verdicts else 0


def _say(text: str) -> None:
    """Progress goes beside the report, so that the report can be piped."""
    print(text, file=sys.stderr, flush=True)


def _write(file: Path | None, text: str) -> None:
    if file is not None:
        fresh = file.with_suffix(f"{file.suffix}.new")
        fresh.write_text(text)
        fresh.replace(file)  # a run that is killed leaves whole tables


if __name__ == "__main__":
    sys.exit(main())
