"""`xumi command`: the commands of the features."""

from typing import Annotated

import typer

# What stands behind the name belongs to the command's own parser, `--help` too.
PASS_ON = {"allow_extra_args": True, "allow_interspersed_args": False}


def command(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="The command; without it, all are listed.")] = None,
) -> None:
    """Run a command of a feature: `xumi command NAME --option …`; `xumi command NAME --help` tells its options."""
    import difflib

    from xumi.cli.terminal import print_table, settings_in_force
    from xumi.kernel import log
    from xumi.kernel.command import commands, find_command
    from xumi.kernel.config import check_sections
    from xumi.kernel.errors import StartError
    from xumi.kernel.modules import discover
    from xumi.kernel.resources import Resources

    settings = settings_in_force(worker_enabled=False)
    log.configure(settings.log_level, settings.log_format)
    features = discover(settings.modules)
    check_sections(settings)
    if name is None:
        print_table([("NAME", "WHAT IT DOES"), *((found.name, found.summary) for found in commands())])
        return
    found = find_command(name)
    if found is None:
        near = difflib.get_close_matches(name, [other.name for other in commands()], n=1)
        hint = f"did you mean {near[0]}?" if near else "`xumi command` lists them."
        raise StartError(f"There is no command {name!r}: {hint}")
    params = found.parse(context.args, "xumi command")
    raise typer.Exit(found.execute(params, Resources(settings, features)))
