"""T-symmetry: the TDM, its baselines, their losses, and what agents use of them."""

from toolkit.tsymmetry.autoencoders import (
    AbstractAutoencoder as AbstractAutoencoder,
    AbstractForwardModel as AbstractForwardModel,
    Autoencoder as Autoencoder,
    ForwardAutoencoder as ForwardAutoencoder,
    SimSiam as SimSiam,
)
from toolkit.tsymmetry.losses import (
    ForwardTerms as ForwardTerms,
    TDMTerms as TDMTerms,
    consistency_at_next as consistency_at_next,
    decoded_rate_loss as decoded_rate_loss,
    difference_terms as difference_terms,
    forward_difference_loss as forward_difference_loss,
    forward_loss as forward_loss,
    forward_terms as forward_terms,
    l1_penalty as l1_penalty,
    published_terms as published_terms,
    reconstruction_loss as reconstruction_loss,
    reverse_difference_loss as reverse_difference_loss,
    reverse_loss as reverse_loss,
    siamese_loss as siamese_loss,
    symmetry_violation as symmetry_violation,
    tdm_terms as tdm_terms,
)
from toolkit.tsymmetry.reversal import (
    classical_violation as classical_violation,
    extended_violation as extended_violation,
    flip as flip,
    there_and_back as there_and_back,
    undo as undo,
)
from toolkit.tsymmetry.tdm import TDM as TDM, Latent as Latent
