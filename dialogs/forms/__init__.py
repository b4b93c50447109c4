"""The consultation's own questionnaires and catalogues."""
