-- SPDX-License-Identifier: MIT
-- Links of a page: to pages become those to their HTML, to other files those to the copies below files/.
-- `page` and `root` are metadata: the page's path from the root, and the way from the page to the root.

local page, root

local function resolve(target)
  local parts = {}
  for part in (page:gsub("[^/]*$", "") .. target):gmatch("[^/]+") do
    if part == ".." and #parts > 0 then
      table.remove(parts)
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return table.concat(parts, "/")
end

local function rewritten(target)
  if target:match("^%a+:") or target:match("^#") then return target end
  local path, anchor = target:match("^([^#]*)(#?.*)$")
  local full = resolve(path)
  if full:match("%.md$") then return root .. full:gsub("%.md$", ".html") .. anchor end
  if full:match("%.svg$") or full:match("%.png$") then return root .. full end
  if not full:match("%.[a-z]+$") then return root .. "files/" .. full .. "/index.html" end
  return root .. "files/" .. full .. ".html"
end

return {
  { Meta = function(meta)
      page, root = pandoc.utils.stringify(meta.page), pandoc.utils.stringify(meta.root)
      if root == "." then root = "" end
    end },
  { Link = function(link) link.target = rewritten(link.target) return link end,
    Image = function(image) image.src = rewritten(image.src) return image end },
}
