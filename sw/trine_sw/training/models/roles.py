"""The models that a recipe trains, each as it stands before its first update."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from trine_sw.support.errors import TrineError
from trine_sw.training.models.float_model import FloatLanguageModel
from trine_sw.training.models.ternary_model import TernaryLanguageModel
from trine_sw.training.models.warm_start import warm_start
from trine_sw.training.nn.quantise import mean_size
from trine_sw.training.recipes import Recipe, Role

__all__ = ["AnyModel", "new_model", "teacher_of"]

AnyModel = TernaryLanguageModel | FloatLanguageModel


def new_model(recipe: Recipe, role: Role, ready: Mapping[Role, AnyModel]) -> AnyModel:
    """The model of a role, from the recipe's seed and from the trained models that it needs.

    Raises :class:`TrineError` where one of these is not ``ready``.
    """
    for needed in recipe.needs(role):
        if needed not in ready:
            what = {"float": "its float baseline", "teacher": "its teacher", "ternary": "its ternary model"}
            raise TrineError(f"{recipe.name} needs {what[needed]} trained first")
    schedule = recipe.schedule_of(role)
    torch.manual_seed(recipe.seed)
    if role in ("float", "teacher"):
        config = recipe.config
        if role == "teacher":
            config = replace(config, cell="lstm", hidden=recipe.teacher_hidden)
        return FloatLanguageModel(
            config,
            dropout=schedule.dropout,
            head_dropout=schedule.head_dropout,
            locked=schedule.locked,
            tied=recipe.tied and role == "float",
            quantisers=recipe.quantisers if role == "float" else None,
        )
    if role == "head":
        return _with_ternary_head(recipe, ready["ternary"])
    model = TernaryLanguageModel(
        recipe.config,
        recipe.options,
        embedding_factor=recipe.embedding_factor,
        dropout=schedule.dropout,
        head_dropout=schedule.head_dropout,
        locked=schedule.locked,
        head=recipe.head,
        tied=recipe.tied,
    )
    if recipe.warm_start:
        trained = ready["float"]
        assert isinstance(trained, FloatLanguageModel)
        warm_start(model, trained)
    return model


def teacher_of(recipe: Recipe, role: Role, ready: Mapping[Role, AnyModel]) -> tuple[AnyModel | None, float]:
    """The trained model that this role learns from, in evaluation mode, and the share of the loss that does.

    A ternary head learns from the float one alone, which has seen the text: what that one makes of a word is
    far less noisy than the next word itself.
    """
    if role == "head":
        teacher, share = ready["ternary"], 1.0
    elif role == "ternary" and recipe.distil:
        teacher, share = ready["teacher" if recipe.teacher_hidden else "float"], recipe.distil
    else:
        return None, 0.0
    return copy.deepcopy(teacher).eval().requires_grad_(False), share


@torch.no_grad()
def _with_ternary_head(recipe: Recipe, trained: AnyModel) -> TernaryLanguageModel:
    """The trained model with its cell frozen, and a ternary head made of its float one."""
    if recipe.head != "float":
        raise TrineError(f"{recipe.name} has a ternary head already")
    assert isinstance(trained, TernaryLanguageModel)
    schedule = recipe.schedule_of("head")
    model = TernaryLanguageModel(
        recipe.config,
        recipe.options,
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
    model.freeze_cell()
    return model
