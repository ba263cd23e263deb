// The extension for VS Code: its debug adapter is `el2 dap`. Without the program, VS Code would end
// the session without a word.
"use strict";

const { execFile } = require("node:child_process");
const vscode = require("vscode");

function createDebugAdapterDescriptor() {
  const program = vscode.workspace.getConfiguration("el2").get("path");
  return new Promise((resolve, reject) => {
    execFile(program, ["--version"], (error) => {
      if (!error) return resolve(new vscode.DebugAdapterExecutable(program, ["dap"]));
      reject(new Error(`"${program}" does not start (${error.message.trim()}); set el2.path to the program el2`));
    });
  });
}

exports.activate = ({ subscriptions }) => {
  subscriptions.push(vscode.debug.registerDebugAdapterDescriptorFactory("el2", { createDebugAdapterDescriptor }));
};
