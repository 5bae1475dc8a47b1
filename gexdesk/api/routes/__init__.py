"""The routes, one file a family; each says which scope it needs."""
