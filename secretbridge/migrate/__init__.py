"""Migrations from one store to another: planned first, then carried out."""
