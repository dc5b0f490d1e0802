import { useGraphiQL } from '@graphiql/react';
import { useMemo, useState } from 'react';
import { byteSize } from './byte-size.js';
import { picturesIn } from './pictures.js';

// In pixels. Smaller ones are shown as they are.
const MOST_WIDTH = 320;
const MOST_HEIGHT = 160;

/** Below an answer: the pictures of which it has the URLs. */
export function Gallery() {
  const response = useGraphiQL(({ tabs, activeTabIndex }) => tabs[activeTabIndex]?.response);
  const pictures = useMemo(() => read(response), [response]);

  if (pictures.length === 0) return null;
  return (
    <section className="gallery" aria-label="Pictures">
      {pictures.map((picture) => <Picture key={picture.source} {...picture} />)}
    </section>
  );
}

function Picture({ source, width, height, contentType, byteSize: bytes, caption, placeholder }) {
  const [state, setState] = useState('loading');
  const details = [
    width && height && `${width} × ${height}`,
    contentType?.replace('image/', '').toUpperCase(),
    Number.isFinite(bytes) && byteSize(bytes),
  ];
  // Transparency would show the placeholder for good.
  const background = state === 'loading' && placeholder ? `url("${placeholder}")` : undefined;

  return (
    <figure className={state}>
      <a href={source} target="_blank" rel="noreferrer" style={{ backgroundImage: background }}>
        <img
          src={source}
          style={room(width, height)}
          alt={caption ?? ''}
          title={caption}
          onLoad={() => setState('loaded')}
          onError={() => setState('missing')}
        />
      </a>
      <figcaption>{state === 'missing' ? 'The URL does not work.' : details.filter(Boolean).join(' · ')}</figcaption>
    </figure>
  );
}

/** The place of a picture, before it is there. */
function room(width, height) {
  if (!(width > 0 && height > 0)) return undefined;
  const scale = Math.min(1, MOST_WIDTH / width, MOST_HEIGHT / height);
  return { width: width * scale, height: height * scale };
}

function read(response) {
  try {
    return picturesIn(JSON.parse(response));
  } catch {
    // No answer yet, or none that is JSON.
    return [];
  }
}
