"""Sabotages of what is learned: no stop-gradient, and a table in place of a reverse model."""

from __future__ import annotations

from toolkit.studies.museum_learning import encoder_readings, reverse_readings, train_reverse


def test_without_the_stop_gradient_loss_and_spread_fall_together():
    healthy, dead = (
        encoder_readings(stop_gradient=stop, num_updates=100, points=2) for stop in (True, False)
    )
    assert dead.spread < healthy.spread / 3
    assert dead.loss[-1] < healthy.loss[-1] / 3
    assert dead.singular.shape == (16,) and dead.updates.tolist() == [50, 100]


def test_a_table_satisfies_one_monitor_and_fails_the_other():
    learner, model, rows = train_reverse(num_updates=100)
    healthy = reverse_readings(learner, model, rows)
    table = reverse_readings(learner, model, rows, degenerate=True)
    assert table.symmetry < 1e-6 < healthy.symmetry
    assert healthy.at_next < 10 * healthy.symmetry
    assert table.at_next > 2 * healthy.at_next
