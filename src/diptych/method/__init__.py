"""The paper, as pure functions on tensors: the canvas, the flow, the contract. Knows arrays only."""
