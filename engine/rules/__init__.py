"""Judgement without a model: the same questions, answered by rules that can be read."""
