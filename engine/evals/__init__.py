"""How good judgement is: any judge on any labelled set."""
