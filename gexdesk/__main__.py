"""Let ``python -m gexdesk`` be ``gexdesk``."""

from gexdesk.cli.main import main

if __name__ == "__main__":
    main()
