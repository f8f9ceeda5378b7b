---@meta

---An entry of a folder.
---@class FileEntry
---@field name string Name without the folder.
---@field type string `file`, `dir`, `symlink` or `other`.
---@field size integer Bytes.
local FileEntry = {}

---Of a file or folder.
---@class FileStat
---@field type string `file`, `dir`, `symlink` or `other`.
---@field size integer Bytes.
---@field modified number Seconds since 1970.
---@field created number Seconds since 1970.
---@field mode integer Permission bits.
local FileStat = {}

---Of a file or folder.
---@class FileMetadata
---@field size integer Bytes.
---@field modified number Seconds since 1970.
---@field is_dir boolean It is a folder.
---@field is_file boolean It is a file.
local FileMetadata = {}

---Files and folders.
std.fs = {}

---What is in a file.
---@async
---@param path string File; relative paths begin at the project.
---@return string
function std.fs.read(path) end

---The same: strings hold any bytes.
---@async
---@param path string File; relative paths begin at the project.
---@return string
function std.fs.read_binary(path) end

---Writes a file anew.
---@async
---@param path string File; relative paths begin at the project.
---@param data string Bytes.
---@return boolean
function std.fs.write(path, data) end

---The same: strings hold any bytes.
---@async
---@param path string File; relative paths begin at the project.
---@param data string Bytes.
---@return boolean
function std.fs.write_binary(path, data) end

---Writes to the end of a file.
---@async
---@param path string File; relative paths begin at the project.
---@param data string Bytes.
---@return boolean
function std.fs.append(path, data) end

---Copies a file.
---@async
---@param from string File; relative paths begin at the project.
---@param to string File; relative paths begin at the project.
---@return boolean
function std.fs.copy(from, to) end

---Renames a file or folder.
---@async
---@param from string File; relative paths begin at the project.
---@param to string File; relative paths begin at the project.
---@return boolean
function std.fs.rename(from, to) end

---Is it there?
---@async
---@param path string Path.
---@return boolean
function std.fs.exists(path) end

---Is it a folder?
---@async
---@param path string Path.
---@return boolean
function std.fs.is_dir(path) end

---Is it a file?
---@async
---@param path string Path.
---@return boolean
function std.fs.is_file(path) end

---Makes a folder and those above it.
---@async
---@param path string Folder.
---@return boolean
function std.fs.mkdir(path) end

---Removes a file, or a folder with all that is in it.
---@async
---@param path string File or folder.
---@return boolean
function std.fs.remove(path) end

---All files below a folder: 256 deep, 10,000 entries at most.
---@async
---@param path string Folder.
---@return string[]
function std.fs.walk(path) end

---Paths that fit a pattern; `*` stops at `/`.
---@async
---@param path string Pattern.
---@return string[]
function std.fs.glob(path) end

---What is in one folder, sorted by name.
---@async
---@param path string Folder.
---@return FileEntry[]
function std.fs.list(path) end

---What the system knows of a file or folder; links are followed.
---@async
---@param path string Path.
---@return FileStat
function std.fs.stat(path) end

---Size, time and kind of a file or folder.
---@async
---@param path string Path.
---@return FileMetadata
function std.fs.metadata(path) end
