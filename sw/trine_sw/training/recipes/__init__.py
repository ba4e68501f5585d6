"""Recipes, which decide a training run: TOML files, of which those that Trine has lie in this package."""

from trine_sw.training.recipes.recipe import (
    RECIPES,
    SEQUENCE_RECIPES,
    TEACHERS,
    AnyRecipe,
    Recipe,
    Role,
    language_recipe,
    parse_recipe,
    read_recipe,
    recipe,
    recipe_text,
)
from trine_sw.training.recipes.schedule import Schedule
from trine_sw.training.recipes.text_teacher import TextTeacher

__all__ = [
    "RECIPES",
    "SEQUENCE_RECIPES",
    "TEACHERS",
    "AnyRecipe",
    "Recipe",
    "Role",
    "Schedule",
    "TextTeacher",
    "language_recipe",
    "parse_recipe",
    "read_recipe",
    "recipe",
    "recipe_text",
]
