"""The users of the lab's domain."""

ANNA = "anna"
BERTA = "berta"
PASSWORDS = {ANNA: "Anna's 1 word", BERTA: "Berta's 2 words"}
