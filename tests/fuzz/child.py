"""Run one target under atheris: ``python -m tests.fuzz.child NAME CORPUS [libFuzzer's flags]``; never returns."""

import sys


def main() -> int:
    """Hand the target to atheris, every module of the formats watched."""
    try:
        import atheris
    except ImportError:
        sys.stderr.write("the fuzzer is not installed: pip install -e '.[fuzz]'\n")
        return 2
    with atheris.instrument_imports(include=["gexdesk.formats", "gexdesk.guidelines"]):  # what guides it is what it sees taken
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
