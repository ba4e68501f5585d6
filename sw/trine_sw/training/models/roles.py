"""The models that a recipe trains, each as it stands before its first update."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from trine_sw.model.config import ModelConfig
from trine_sw.support.errors import TrineError
from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.kneser_ney import KneserNey
from trine_sw.training.models.teachers import Teachers
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.models.warm_start import warm_start
from trine_sw.training.nn.quantise import mean_size
from trine_sw.training.recipes import TEACHERS, Recipe, Role

__all__ = ["AnyModel", "float_model", "has_unigram_bias", "new_model", "teachers_of"]

AnyModel = TernaryLanguageModel | FloatLanguageModel


def new_model(recipe: Recipe, role: Role, ready: Mapping[Role, AnyModel]) -> AnyModel:
    """The model of a role, from the recipe's seed and from the trained models that it needs.

    Raises :class:`TrineError` where one of these is not ``ready``.
    """
    for needed in recipe.needs(role):
        if needed not in ready:
            what = {"float": "its float baseline", "ternary": "its ternary model"}
            raise TrineError(f"{recipe.name} needs {what.get(needed, 'its teacher')} trained first")
    torch.manual_seed(recipe.seed_of(role))
    if role in ("float", *TEACHERS):
        return float_model(recipe, role)
    if role == "head":
        return _with_ternary_head(recipe, ready["ternary"])
    schedule = recipe.schedule_of(role)
    model = TernaryLanguageModel(
        recipe.config,
        recipe.options,
        embedding_factor=recipe.embedding_factor,
        dropout=schedule.dropout,
        head_dropout=schedule.head_dropout,
        locked=schedule.locked,
        head=recipe.head,
        tied=recipe.tied,
        states=recipe.states,
    )
    if recipe.warm_start:
        trained = ready["float"]
        assert isinstance(trained, FloatLanguageModel)
        warm_start(model, trained)
        if recipe.mapped_head:
            model.map_head(trained.head.weight, recipe.mapped_head)
    return model


def float_model(recipe: Recipe, role: Role) -> FloatLanguageModel:
    """A float model as it is before its first update: the baseline, or one of the teacher's."""
    config, schedule = recipe.config, recipe.schedule_of(role)
    tied = role == "float" and (recipe.tied or recipe.baseline_tied)
    if role != "float" and recipe.teacher is not None:
        shape, tied = recipe.teacher, recipe.teacher.tied
        config = ModelConfig(
            cell=shape.cell,
            hidden=shape.hidden,
            embedding=shape.hidden,
            vocab_size=config.vocab_size,
            layers=shape.layers,
        )
    elif role != "float":
        config = replace(config, cell="lstm", hidden=recipe.teacher_hidden)
    return FloatLanguageModel(
        config,
        dropout=schedule.dropout,
        head_dropout=schedule.head_dropout,
        locked=schedule.locked,
        tied=tied,
        quantisers=recipe.quantisers if role == "float" else None,
        between=schedule.between_dropout,
        embedding_dropout=schedule.embedding_dropout,
        recurrent=schedule.recurrent_dropout,
    )


def has_unigram_bias(recipe: Recipe, role: Role) -> bool:
    """Whether the bias of a role's head is that of the text, and is not trained."""
    if role == "head":  # whose bias is that of the finished model
        return False
    if role in TEACHERS and recipe.teacher is not None:
        return recipe.teacher.unigram
    return recipe.unigram


def teachers_of(
    recipe: Recipe, role: Role, ready: Mapping[Role, AnyModel], tokens: NDArray[np.integer]
) -> tuple[Teachers | None, float]:
    """What this role learns from, in evaluation mode, and the share of the loss that does.

    A ternary head learns from its teachers alone, which have seen the text: what these make of a word is far
    less noisy than the next word itself.

    Parameters
    ----------
    tokens : (T,), the training text, of which the n-gram model is made where the teacher has one.
    """
    names = recipe.learns_from(role)
    if not names:
        return None, 0.0
    share = {"float": recipe.baseline_distil, "ternary": recipe.distil}.get(role, 1.0)
    models = [copy.deepcopy(ready[name]).eval().requires_grad_(False) for name in names]
    teacher = recipe.teacher
    if teacher is None or not teacher.ngram or names[0] == "ternary":
        return Teachers(models), share
    ngram = KneserNey(tokens, recipe.config.vocab_size, teacher.ngram_order)
    return Teachers(models, ngram, teacher.ngram), share


@torch.no_grad()
def _with_ternary_head(recipe: Recipe, trained: AnyModel) -> TernaryLanguageModel:
    """The trained model with a ternary head made of its float one; its cell is frozen, or is trained on."""
    if recipe.head != "float":
        raise TrineError(f"{recipe.name} has a ternary head already")
    assert isinstance(trained, TernaryLanguageModel)
    schedule = recipe.schedule_of("head")
    options = replace(recipe.options, harden=None) if recipe.finish_cell else recipe.options
    model = TernaryLanguageModel(
        recipe.config,
        options,
        embedding_factor=recipe.embedding_factor,
        dropout=schedule.dropout,
        head_dropout=schedule.head_dropout,
        locked=schedule.locked,
        one_threshold=True,
    )
    for layer, given in zip(model.stack, trained.stack, strict=True):
        layer.load_state_dict(given.state_dict())
    model.embedding.copy_(trained.embedding)
    weight, bias = trained.head_in_nats()
    assert isinstance(model.head, nn.Parameter) and model.log_head_scale is not None
    model.head.copy_(weight)
    model.head_bias.copy_(bias)
    model.log_head_scale.copy_(mean_size(weight.cpu(), model.head_integers()[0]).log())
    if not recipe.finish_cell:
        model.freeze_cell()
    return model
