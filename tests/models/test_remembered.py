"""What a frozen network said is kept for inputs that come again, and never changes an answer."""

import torch

from diptych.models.sight import Remembered


class Counting:
    def __init__(self):
        self.rows = 0

    def __call__(self, shown):
        self.rows += len(shown)
        return shown.sigmoid()


def test_what_was_looked_at_is_not_looked_at_again():
    look, memory, shown = Counting(), Remembered(8), torch.randn(4, 3, 5)
    first = memory(look, shown)
    again = memory(look, shown[[2, 0, 2]])
    assert look.rows == 4
    assert torch.equal(again, first[[2, 0, 2]])
    assert (first - shown.sigmoid()).abs().max() <= 0.5 / 255 + 1e-6


def test_a_full_memory_and_an_empty_one_say_the_same():
    """So a run that was killed, and has forgotten, goes on to the last digit."""
    look, memory, shown = Counting(), Remembered(2), torch.randn(5, 3)
    whole = memory(look, shown)
    assert len(memory.said) == 2
    assert torch.equal(memory(look, shown), whole)
    assert look.rows == 5 + 3
    assert torch.equal(Remembered(0)(look, shown), whole)


def test_rows_that_are_alike_are_one_and_what_is_given_back_is_ones_own():
    look, memory, shown = Counting(), Remembered(8), torch.ones(3, 2)
    memory(look, shown).zero_()
    assert len(memory.said) == 1
    assert memory(look, shown).min() > 0
    assert memory(look, shown.bfloat16()).dtype == torch.bfloat16
