-- A ProfileRequest's health, from its conditions. Argo CD runs this for every request that it shows.
local conditions = {}
local status = obj.status or {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "being deleted, with everything that was made for it" }
end
-- What was said about an older generation says nothing about this one.
if status.observedGeneration ~= obj.metadata.generation or conditions.Ready == nil then
  return { status = "Progressing", message = "waiting to be looked at" }
end
if conditions.Ready.status == "True" then
  return { status = "Healthy", message = conditions.Ready.message }
end
if conditions.Stalled ~= nil and conditions.Stalled.status == "True" then
  return { status = "Degraded", message = conditions.Stalled.reason .. ": " .. conditions.Stalled.message }
end
if conditions.Ready.reason == "Suspended" then
  return { status = "Suspended", message = conditions.Ready.message }
end
local message = conditions.Ready.message
if status.progress ~= nil and status.progress.percent ~= nil then
  message = message .. ", " .. status.progress.percent .. " %"
end
return { status = "Progressing", message = message }
