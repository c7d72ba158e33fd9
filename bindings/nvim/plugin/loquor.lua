if vim.g.loaded_loquor then return end
vim.g.loaded_loquor = true

vim.api.nvim_set_hl(0, "LoquorGhost", { default = true, link = "Comment" })
local command = vim.api.nvim_create_user_command
command("LoquorComplete", function() require("loquor_nvim.complete").complete() end, { desc = "Suggest how the text goes on" })
command("LoquorChat", function() require("loquor_nvim.chat").open() end, { desc = "Chat in a split" })
command("LoquorStop", function()
  require("loquor_nvim.complete").cancel()
  require("loquor_nvim.chat").stop()
end, { desc = "Stop what is being generated" })
command("LoquorUnload", function() require("loquor_nvim").unload() end, { desc = "Let go of the model" })

-- Any key that changes the text or moves the cursor makes a suggestion obsolete.
vim.api.nvim_create_autocmd({ "InsertCharPre", "TextChangedI", "CursorMovedI", "InsertLeave" }, {
  group = vim.api.nvim_create_augroup("loquor", {}),
  callback = function()
    local complete = package.loaded["loquor_nvim.complete"]
    if complete then complete.cancel() end
  end,
})

-- Threads that compute must have let go of what they use before the editor ends.
vim.api.nvim_create_autocmd("VimLeavePre", {
  group = "loquor",
  callback = function()
    if package.loaded["loquor_nvim"] then require("loquor_nvim.job").finish(500) end
  end,
})
