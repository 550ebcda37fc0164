"""Commands and outcomes as a chain that shows what was changed: `journal` appends, `sealing` closes, `proof` proves."""
