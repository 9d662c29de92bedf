"""What a GPU gives, in under six minutes and without a network: `python -m bench --gpu`."""
