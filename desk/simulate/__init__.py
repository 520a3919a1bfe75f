"""Play active learning on a labelled task: what an algorithm of mining is worth, before anybody labels."""
