"""JOINS THE STAGES. The only room that knows more than one of them."""
