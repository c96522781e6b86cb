"""A Python environment with the backend, made at the press of a button. Imports no bpy.

hardware      which build of PyTorch suits this computer
pythons       which Python can make an environment
package       the backend that the extension brings
plan          what will be done, as command lines that people can read
environments  where the environments are, which of them counts, and how old ones go
supervise     a script between us and pip: it ends what it started when we end
install       a plan, done: its output, its cancelling; updates
"""
