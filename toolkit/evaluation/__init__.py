"""Prediction error over horizons, with the floors that cost nothing beside it."""

from toolkit.evaluation.prediction import (
    PredictionErrors as PredictionErrors,
    TrainedDynamics as TrainedDynamics,
    normalised as normalised,
    prediction_errors as prediction_errors,
)
from toolkit.evaluation.windows import predict_windows as predict_windows, reach as reach
