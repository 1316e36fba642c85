"""Cortex: a brain-inspired, modular agent that learns by day without changing a weight, and sleeps."""
