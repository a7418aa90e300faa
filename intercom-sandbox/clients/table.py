"""Prints a table of checks and clients, then the reasons of failed checks: `python table.py FILE…`.
Each file is the output of a client's program. Fails unless every check passed with every client."""

import json
import sys


def main(paths):
    # In a dictionary everything keeps its order, and is there once.
    outcomes = dict(map(read, paths))
    checks = list(dict.fromkeys(check for made in outcomes.values() for check in made))

    width = max(map(len, checks), default=0)
    print(f"\n{'':{width}}", *outcomes, sep="  ")
    bad = []
    for check in checks:
        words = {client: word(made, check) for client, made in outcomes.items()}
        print(f"{check:{width}}", *(f"{words[client]:{len(client)}}" for client in words), sep="  ")
        bad += [(client, check) for client in words if words[client] != "passed"]

    for client, check in bad:
        print(f"\n== {client}, {check}\n{outcomes[client].get(check, 'the client lacks this check')}")
    total = len(checks) * len(outcomes)
    print(f"\n{total - len(bad)} of {total} passed")
    return 0 if total > 0 and not bad else 1


def read(path):
    """The client that a program ran, and for each of its checks why it failed, or none."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    if not lines:
        return f"{path} (empty)", {}
    return lines[0]["client"], {line["check"]: line["reason"] for line in lines[1:]}


def word(made, check):
    if check not in made:
        return "absent"
    return "passed" if made[check] is None else "FAILED"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
