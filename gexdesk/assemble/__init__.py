"""Make the concrete parts of one desk and join them: the only room that names them all."""
