import { pick, useGraphiQL } from '@graphiql/react';
import { useMemo, useSyncExternalStore } from 'react';
import { createPortal } from 'react-dom';
import { byteSize } from './byte-size.js';
import { slotsOf, withPlaces } from './upload-slots.js';
import { choose, filesFor, onFilesChange, withPreview } from './uploads.js';
import { inLines } from './variables.js';

const TYPES = 'image/jpeg,image/png,image/webp,image/gif';
const editorState = pick('schema', 'documentAST', 'operationName', 'variableEditor');

/** Below the variables, for an operation of which some take files: chooses them, and shows which. */
export function FilePicker() {
  const { schema, documentAST, operationName, variableEditor } = useGraphiQL(editorState);
  const slots = useMemo(() => findSlots(schema, documentAST, operationName), [schema, documentAST, operationName]);
  const files = useSyncExternalStore(onFilesChange, () => filesFor(operationName));

  // GraphiQL has no place of its own for more below the editors.
  const editors = slots.length > 0 && document.querySelector('.graphiql-editors');
  if (!editors) return null;

  const change = (slot) => (next, kept) => {
    choose(operationName, slot.name, next);
    rewrite(variableEditor, slot, kept);
  };
  return createPortal(
    <section className="file-picker" aria-label="Files">
      {slots.map((slot) => (
        <Slot key={slot.name} slot={slot} files={files[slot.name] ?? []} onChange={change(slot)} />
      ))}
    </section>,
    editors,
  );
}

function Slot({ slot: { name, many }, files, onChange }) {
  const add = (list) => {
    const added = Array.from(list, withPreview);
    // The dialog was closed without a choice.
    if (added.length === 0) return;
    const next = many ? [...files, ...added] : added;
    onChange(next, [...next.keys()]);
  };
  const remove = (at) => {
    const kept = [...files.keys()].filter((other) => other !== at);
    onChange(kept.map((other) => files[other]), kept);
  };

  return (
    <>
      <label className="file-picker-choice">
        <b>{many ? 'Choose files' : 'Choose a file'}</b> or drop {many ? 'them' : 'it'} here, for <code>{name}</code>
        <input
          type="file"
          accept={TYPES}
          multiple={many}
          aria-label={`Files for ${name}`}
          onChange={({ target }) => {
            add(target.files);
            // The same file can be chosen again.
            target.value = '';
          }}
        />
      </label>
      {files.length > 0 && (
        <ul>
          {files.map(({ file, preview }, at) => (
            <li key={preview} title={file.name}>
              {file.type.startsWith('image/') ? <img src={preview} alt="" /> : <span className="file-picker-blank" />}
              <span className="file-picker-name">{file.name}</span>
              <small>{byteSize(file.size)}</small>
              <button type="button" aria-label={`Leave out ${file.name}`} onClick={() => remove(at)}>×</button>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function findSlots(schema, document, operationName) {
  try {
    return slotsOf(schema, document, operationName);
  } catch {
    // Half-written, its types make no sense yet.
    return [];
  }
}

/** Gives the variables a place for each file, and one when there is none. */
function rewrite(editor, { steps }, kept) {
  let variables;
  try {
    variables = JSON.parse(editor.getValue().trim() || '{}');
  } catch {
    // Whoever has written something else is told so when it is run.
    return;
  }
  editor.setValue(inLines(withPlaces(variables, steps, kept.length > 0 ? kept : [0])));
}
