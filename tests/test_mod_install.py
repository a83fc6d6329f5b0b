"""Installing the mod: a real mod folder into a real world folder, and settings into a real file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent_runtime import luanti_conf, mod_install
from agent_runtime.errors import ModInstallError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "src").mkdir(parents=True)
    (folder / "spec").mkdir()
    (folder / "mod.conf").write_text("name = townsfolk\n")
    (folder / "init.lua").write_text("return 1\n")
    (folder / "src" / "net.lua").write_text("return 2\n")
    (folder / "spec" / "net_spec.lua").write_text("")
    (folder / "draw.py").write_text("")
    (folder / "init.lua").chmod(0o600)
    return folder


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "world.mt").write_text("gameid = minetest\n")
    return folder


def test_the_mod_is_copied_without_its_specs_and_readable_by_the_server(source: Path, world: Path) -> None:
    done = mod_install.install(source, world)
    assert done.outcome == "installed"
    assert done.path == world / "worldmods" / "townsfolk"
    files = {str(path.relative_to(done.path)) for path in done.path.rglob("*") if path.is_file()}
    assert files == {"mod.conf", "init.lua", "src/net.lua"}
    assert stat.S_IMODE((done.path / "init.lua").stat().st_mode) == 0o644
    assert sorted(path.name for path in world.iterdir()) == ["world.mt", "worldmods"]


def test_whoever_may_read_the_world_may_enter_though_the_umask_says_no(source: Path, world: Path) -> None:
    before = os.umask(0o077)
    try:
        done = mod_install.install(source, world)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (done.path.parent, done.path)]
    assert modes == [0o755, 0o755]


def test_an_older_copy_is_replaced_and_the_same_left_alone(source: Path, world: Path) -> None:
    done = mod_install.install(source, world)
    assert mod_install.install(source, world).outcome == "unchanged"
    (source / "init.lua").write_text("return 3\n")
    (source / "src" / "net.lua").unlink()
    assert mod_install.install(source, world).outcome == "replaced"
    assert (done.path / "init.lua").read_text() == "return 3\n"
    assert not (done.path / "src" / "net.lua").exists()
    assert sorted(path.name for path in world.iterdir()) == ["world.mt", "worldmods"]


def test_a_broken_off_installation_does_not_stop_the_next(source: Path, world: Path) -> None:
    mod_install.install(source, world)
    (world / "worldmods" / "townsfolk").rename(world / ".townsfolk-old")
    (world / ".townsfolk-new").mkdir()
    (world / ".townsfolk-new" / "half").write_text("")
    done = mod_install.install(source, world)
    assert not (done.path / "half").exists()
    assert (done.path / "init.lua").exists()
    assert sorted(path.name for path in world.iterdir()) == ["world.mt", "worldmods"]


def test_only_worlds_are_touched(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "not a world"
    folder.mkdir()
    with pytest.raises(ModInstallError, match=r"no world\.mt"):
        mod_install.install(source, folder)
    assert list(folder.iterdir()) == []


def test_what_is_not_ours_is_left_alone(source: Path, world: Path, tmp_path: Path) -> None:
    target = world / "worldmods" / "townsfolk"
    target.mkdir(parents=True)
    (target / "mod.conf").write_text("name = other\n")
    with pytest.raises(ModInstallError, match="move it away first"):
        mod_install.install(source, world)
    assert (target / "mod.conf").read_text() == "name = other\n"
    (target / "mod.conf").unlink()
    target.rmdir()
    target.symlink_to(source)
    with pytest.raises(ModInstallError, match="is a link to"):
        mod_install.install(source, world)


def test_settings_are_written_once_with_a_backup(tmp_path: Path) -> None:
    conf = tmp_path / "minetest.conf"
    before = "# mine\nsecure.trusted_mods = irc\nport = 30000\n"
    conf.write_text(before)
    conf.chmod(0o640)
    needed = mod_install.needed_settings(before, "t" * 43, "127.0.0.1", 30301)
    assert needed == {"secure.trusted_mods": "irc, townsfolk", "townsfolk.token": "t" * 43}
    assert mod_install.apply(conf, needed) is True
    after = conf.read_text()
    assert after == before.replace("irc", "irc, townsfolk") + f"townsfolk.token = {'t' * 43}\n"
    assert conf.with_name("minetest.conf.bak").read_text() == before
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    assert mod_install.apply(conf, mod_install.needed_settings(after, "t" * 43, "127.0.0.1", 30301)) is False
    assert conf.with_name("minetest.conf.bak").read_text() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "minetest.conf",
        "minetest.conf.bak",
    ]


def test_a_link_to_the_configuration_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real.conf"
    real.write_text("a = 1\n")
    link = tmp_path / "link.conf"
    link.symlink_to(real)
    assert mod_install.apply(link, {"b": "2"}) is True
    assert link.is_symlink()
    assert luanti_conf.get(real.read_text(), "b") == "2"


def test_another_address_is_told_to_the_mod() -> None:
    needed = mod_install.needed_settings("", "x", "10.0.0.2", 4000)
    assert needed["townsfolk.host"] == "10.0.0.2"
    assert needed["townsfolk.port"] == "4000"
    everywhere = mod_install.needed_settings("", "x", "0.0.0.0", 30301)
    assert everywhere == {"secure.trusted_mods": "townsfolk", "townsfolk.token": "x"}


def test_a_runtime_back_on_its_defaults_is_found_again(tmp_path: Path) -> None:
    """What an earlier installation wrote must not send the mod to where nobody listens any more."""
    conf = tmp_path / "minetest.conf"
    conf.write_text("")
    mod_install.apply(conf, mod_install.needed_settings("", "x", "10.0.0.2", 4000))
    assert mod_install.apply(conf, mod_install.needed_settings(conf.read_text(), "x", "127.0.0.1", 30301))
    assert luanti_conf.get(conf.read_text(), "townsfolk.host") == "127.0.0.1"
    assert luanti_conf.get(conf.read_text(), "townsfolk.port") == "30301"
    needed = mod_install.needed_settings(conf.read_text(), "x", "localhost", 30301)
    assert not mod_install.apply(conf, needed)


def test_a_host_is_left_alone_where_the_runtime_listens_everywhere() -> None:
    """Such as the address by which a container reaches its machine."""
    conf = "townsfolk.host = 172.17.0.1\n"
    assert "townsfolk.host" not in mod_install.needed_settings(conf, "x", "0.0.0.0", 30301)


def test_a_missing_configuration_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ModInstallError, match="--config"):
        mod_install.apply(tmp_path / "absent.conf", {"a": "1"})
