"""Proofs that novel games are honest: each is a function of games that answers with figures and whether it holds."""
