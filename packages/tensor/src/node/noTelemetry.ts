// Keeps ONNX Runtime from reporting its use to its maker: from version 1.30 on it does so on Linux unless this variable is set
// before it is loaded, and leaves a log in the directory for temporary files and a device's number in ~/.cache.
//
// The runtime reads the process's own variables, of which a worker thread has a copy. So this also belongs where threads are
// started that load it.

process.env.ORT_DISABLE_TELEMETRY ??= "1";
