"""The made-up world: characters, motions, scenes and exact cross-identity truth, all from seeds."""
