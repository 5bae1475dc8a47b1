"""THE SCREEN. Draws one frozen view, pulls levers; knows ``desk`` and ``model`` alone."""
