"""What several engines share over one Redis: who is there, who runs which sources, what operators set, which bytes came before."""
