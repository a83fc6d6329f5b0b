-- For tests only: from here on this server has no MessagePack library, for nobody who asks.
local trusted = core.request_insecure_environment()

trusted.package.loaded.MessagePack = nil
trusted.package.preload.MessagePack = function()
	error("module 'MessagePack' not found: this server has none")
end
