/** This machine's processor by Go's name for it, as images have it. */
export const LOCAL_ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;
