#: editor = "jupyter"
#: refused = []
#: at = ""
# %% [markdown]
# # To do
# %%

