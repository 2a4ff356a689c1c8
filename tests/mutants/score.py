"""Merges the outcomes of tests/mutants.sh and prints the score: python3 score.py WORK RECORD ROOT.

Writes RECORD/score.md. Exits with 1 if less than 95 % was caught, if something was not run, or if a survivor has no reason
in RECORD/survivors.toml.
"""

import re
import sys
import tomllib
from collections import Counter
from pathlib import Path

AREAS = ["math", "oracle", "evidence", "live", "pool", "product", "policy", "reinsurance", "rest"]
SOURCES = "programs/backstop/src/"
LEAST = 95.0


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def outcomes(area):
    """What became of each mutant of an area; what one pass caught stays caught."""
    found = {mutant: "not run" for mutant in lines(area / "listed.txt")}
    for outcome in ["missed", "unviable", "timeout", "caught"]:
        found.update({mutant: outcome for mutant in lines(area / f"{outcome}.txt") if mutant in found})
    return found


def place(mutant):
    """File, line and change of `file:line:column: change`."""
    file, line, _, change = re.fullmatch(r"(.*?):(\d+):(\d+): (.*)", mutant).groups()
    return file.removeprefix(SOURCES), int(line), change


def main(work, record, root):
    survivors = tomllib.loads((record / "survivors.toml").read_text()).get("survivor", [])
    reasons = {(entry["file"], entry["line"], entry["change"]): entry["reason"] for entry in survivors}
    files, listed, bare = {}, [], []
    for name in AREAS:
        area = work / name
        if not area.is_dir():
            continue
        for mutant, outcome in outcomes(area).items():
            file, line, change = place(mutant)
            files.setdefault(file, Counter())[outcome] += 1
            if outcome == "missed":
                text = lines(area / "tree" / SOURCES / file)[line - 1].strip()
                reason = reasons.get((file, text, change))
                listed.append((file, text, change, reason or "**no reason given**"))
                if reason is None:
                    bare.append((file, line, text, change))

    out = ["# Mutation score of the program's core", ""]
    out += ["Written by `tests/mutants.sh`; the reasons are from `survivors.toml`. A mutant counts as caught if a test fails or runs out"]
    out += ["of time; one that does not compile counts as nothing.", ""]
    out += ["| file | mutants | caught | out of time | missed | do not compile | not run |", "|---|---|---|---|---|---|---|"]
    total = Counter()
    kinds = ["caught", "timeout", "missed", "unviable", "not run"]
    for file, counts in sorted(files.items()):
        total += counts
        out.append("| " + " | ".join([file, str(counts.total())] + [str(counts[kind]) for kind in kinds]) + " |")
    out.append("| **all** | " + " | ".join([str(total.total())] + [str(total[kind]) for kind in kinds]) + " |")
    caught, missed = total["caught"] + total["timeout"], total["missed"]
    score = 100 * caught / max(1, caught + missed)
    out += ["", f"Score: {caught} of {caught + missed} caught, {score:.1f} %.", "", "## Survivors", ""]
    for file, text, change, reason in sorted(listed):
        out.append(f"- `{file}`: `{text}`: {change}. {reason}")
    (record / "score.md").write_text("\n".join(out) + "\n")

    print("\n".join(out[5 : out.index("## Survivors")]))
    for file, line, text, change in bare:
        print(f"no reason: {file}:{line}: {change}: {text}")
    return 0 if score >= LEAST and not bare and total["not run"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main(*(Path(path) for path in sys.argv[1:4])))
