//! A terminal with the command in it.

use std::{io::Read as _, num::NonZero, sync::mpsc, time::Duration};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::support::Desk;

/// Nothing here takes this long unless something hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(60);

/// A terminal with the command in it.
pub(crate) struct Terminal {
    pub(crate) screen: vt100::Parser,
    pub(crate) bytes: mpsc::Receiver<Vec<u8>>,
    keys: Box<dyn std::io::Write + Send>,
    pub(crate) child: Box<dyn portable_pty::Child + Send + Sync>,
    /// Everything that was written, for what a screen does not keep.
    pub(crate) all: Vec<u8>,
    // Closing it would hang the command up.
    pty: Box<dyn portable_pty::MasterPty + Send>,
    /// How the terminal was before the command had it.
    mode: u32,
}

impl Terminal {
    pub(crate) fn run(desk: &Desk, rows: u16, cols: u16, arguments: &[&str]) -> Self {
        Self::with(desk, rows, cols, arguments, &[])
    }

    /// One whose user wants no colours.
    pub(crate) fn plain(desk: &Desk, rows: u16, cols: u16, arguments: &[&str]) -> Self {
        Self::with(desk, rows, cols, arguments, &[("NO_COLOR", "1")])
    }

    fn with(
        desk: &Desk,
        rows: u16,
        cols: u16,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pty = native_pty_system().openpty(size).unwrap();
        let mode = mode(&*pty.master);
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_shipsec"));
        command.args(arguments);
        command.cwd(desk.path());
        command.env("TERM", "xterm-256color");
        for variable in ["SHIPSEC_STORE", "SHIPSEC_ARTIFACTS", "NO_COLOR"] {
            command.env_remove(variable);
        }
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut reader = pty.master.try_clone_reader().unwrap();
        let (send, bytes) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if send.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            screen: vt100::Parser::new(some(rows), some(cols), 1000),
            bytes,
            keys: pty.master.take_writer().unwrap(),
            child,
            all: Vec::new(),
            pty: pty.master,
            mode,
        }
    }

    /// Reads on until the screen shows it.
    pub(crate) fn wait_for(&mut self, what: &str) {
        while !self.screen.screen().contents().contains(what) {
            match self.bytes.recv_timeout(HANGS) {
                Ok(bytes) => self.take(&bytes),
                Err(error) => panic!(
                    "{error} before {what:?}:\n{}",
                    self.screen.screen().contents()
                ),
            }
        }
    }

    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.all.extend_from_slice(bytes);
        self.screen.process(bytes);
    }

    /// Types what the keys send.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    pub(crate) fn press_ctrl_c(&mut self) {
        self.press("\u{3}");
    }

    /// The exit code, and all that stays on the screen or above it.
    pub(crate) fn end(mut self) -> (u32, String) {
        while let Ok(bytes) = self.bytes.recv_timeout(HANGS) {
            self.take(&bytes);
        }
        let code = self.child.wait().unwrap().exit_code();
        assert!(
            !self.screen.screen().hide_cursor(),
            "the cursor is given back"
        );
        assert!(
            !self.screen.screen().alternate_screen(),
            "the screen is given back"
        );
        assert_eq!(mode(&*self.pty), self.mode, "echo and lines are given back");
        self.screen.screen_mut().set_scrollback(usize::MAX);
        let above = match self.screen.screen().scrollback() {
            0 => String::new(),
            _ => self.screen.screen().contents(),
        };
        self.screen.screen_mut().set_scrollback(0);
        (
            code,
            format!("{above}\n{}", self.screen.screen().contents()),
        )
    }
}

/// Whether it echoes, gathers lines, and makes signals of keys.
fn mode(pty: &dyn portable_pty::MasterPty) -> u32 {
    let termios = pty.get_termios().expect("it is a terminal");
    termios.local_flags.bits()
}

fn some(cells: u16) -> NonZero<u16> {
    NonZero::new(cells).expect("a terminal has cells")
}
